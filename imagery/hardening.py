"""GDAL, reduced to the formats that the project reads and writes.

GDAL opens far more than pictures: a VRT is a recipe that reads any file of the machine, an MRF may write one, a side
file replaces the georeference of the picture beside it. Three fences stand behind each other:

1. every file is opened with one driver, named by its first bytes (`imagery.geotiff`);
2. `FILE_OPTIONS` hold while it is open: no side files, no directory listing;
3. the drivers of `SKIPPED_DRIVERS` are not registered at all. GDAL asks for that list once, at its first use in the
   process, and only in the environment: it does nothing inside `rasterio.Env`. Hence `harden`, at import.
"""

from __future__ import annotations

import os
import warnings

FILE_OPTIONS = {
    # Side files: GDAL looks for none (a lying .aux.xml replaces CRS and transform, a VRT named x.tif.ovr is opened).
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    # World files and tables beside the picture count for nothing; its own tags do.
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
}
"""GDAL configuration that holds while a file is open."""

NETWORK_OPTIONS = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "60",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.tiff,.jp2",
    "AWS_NO_SIGN_REQUEST": "YES",
}
"""GDAL configuration for the day a network path reaches it all the same: bounded, pictures only, no credentials."""

_NAMES = (
    "AAIGrid,ACE2,ADRG,AIG,AirSAR,BAG,BIGGIF,BLX,BMP,BSB,BT,BYN,CALS,CEOS,COASP,COSAR,CPG,CTG,CTable2,DAAS,DERIVED,"
    "DIMAP,DIPEx,DOQ1,DOQ2,DTED,ECRGTOC,EEDA,EEDAI,EHdr,EIR,ELAS,ENVI,ERS,ESAT,ESRIC,FAST,FIT,GFF,GIF,GNMDatabase,"
    "GNMFile,GRASSASCIIGrid,GRIB,GS7BG,GSAG,GSBG,GSC,GTI,GTX,GXF,GenBin,HDF5,HDF5Image,HF2,HFA,HTTP,ILWIS,IRIS,ISCE,"
    "ISG,ISIS2,ISIS3,JAXAPALSAR,JDEM,JPEG,KMLSUPEROVERLAY,KRO,L1B,LAN,LCP,LOSLAS,Leveller,MAP,MBTiles,MFF,MFF2,MRF,"
    "MSGN,NDF,NGSGEOID,NITF,NOAA_B,NSIDCbin,NTv2,NWT_GRC,NWT_GRD,OZI,PAux,PCIDSK,PCRaster,PDF,PDS,PDS4,PLMOSAIC,PNM,"
    "PRF,R,RIK,RMF,ROI_PAC,RPFTOC,RRASTER,RS2,RST,Rasterlite,S102,S104,S111,SAFE,SAGA,SAR_CEOS,SDTS,SENTINEL2,SGI,"
    "SIGDEM,SNAP_TIFF,SNODAS,SRP,SRTMHGT,STACIT,STACTA,TGA,TIL,TSX,Terragen,USGSDEM,VICAR,VRT,WCS,WEBP,WMS,WMTS,XPM,"
    "XYZ,ZMap,Zarr,netCDF"
)
SKIPPED_DRIVERS = tuple(_NAMES.split(","))
"""Every raster driver of GDAL 3.10 but GTiff, COG, MEM, JP2OpenJPEG and PNG. The vector drivers stay, GeoPackage among
them: none follows a path that a raster file names, and the variable is shared with any other GDAL in the process, which
may be there to read exactly those."""


class HardeningWarning(UserWarning):
    """GDAL was started before the list of skipped drivers was in place."""


def harden() -> None:
    """Put the list of skipped drivers and the safe options into the environment; what the user set there is kept."""
    given = [name for name in os.environ.get("GDAL_SKIP", "").replace(",", " ").split() if name not in SKIPPED_DRIVERS]
    os.environ["GDAL_SKIP"] = ",".join((*given, *SKIPPED_DRIVERS))
    for option, value in (FILE_OPTIONS | NETWORK_OPTIONS).items():
        os.environ.setdefault(option, value)


def live_drivers() -> frozenset[str]:
    """Return the names among `SKIPPED_DRIVERS` that GDAL has registered all the same."""
    import rasterio

    with rasterio.Env() as env:
        return frozenset(env.drivers()).intersection(SKIPPED_DRIVERS)


def check_hardening() -> None:
    """Warn where GDAL started before `harden`; files are then opened by named driver only, one fence fewer.

    Warns
    -----
    HardeningWarning
        Where a driver that follows references to other files is registered.
    """
    live = live_drivers()
    if live:
        message = (
            f"GDAL was in use before `imagery` was imported, so {len(live)} drivers that are not needed are registered "
            f"({', '.join(sorted(live)[:3])}, ...). Files are still opened by their own driver only. "
            "Import `imagery` before the first use of rasterio to close this."
        )
        warnings.warn(message, HardeningWarning, stacklevel=2)
