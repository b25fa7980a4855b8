//VERSION=3
// The bands of 10 m, the scene classification and the data mask, as numbers (1 = 0.0001 of reflectance).
function setup() {
  return {
    input: [{ bands: ["B02", "B03", "B04", "B08", "SCL", "dataMask"], units: "DN" }],
    output: { id: "default", bands: 6, sampleType: "UINT16" },
    mosaicking: "SIMPLE"
  };
}

function evaluatePixel(sample) {
  return [sample.B02, sample.B03, sample.B04, sample.B08, sample.SCL, sample.dataMask];
}
