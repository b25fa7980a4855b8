"""What was seen: scenes, pixels in physical units, validity and co-registration.

Importing this package closes the doors of GDAL that reading untrusted files must not open (`imagery.hardening`).
"""

from imagery.hardening import harden

harden()
