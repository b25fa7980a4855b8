//VERSION=3
// All bands of level 2A, the scene classification and the data mask, as numbers (1 = 0.0001 of reflectance).
function setup() {
  return {
    input: [{
      bands: ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12", "SCL", "dataMask"],
      units: "DN"
    }],
    output: { id: "default", bands: 14, sampleType: "UINT16" },
    mosaicking: "SIMPLE"
  };
}

function evaluatePixel(sample) {
  return [
    sample.B01, sample.B02, sample.B03, sample.B04, sample.B05, sample.B06, sample.B07, sample.B08, sample.B8A,
    sample.B09, sample.B11, sample.B12, sample.SCL, sample.dataMask
  ];
}
