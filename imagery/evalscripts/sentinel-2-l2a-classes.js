//VERSION=3
// The scene classification and the data mask alone.
function setup() {
  return {
    input: [{ bands: ["SCL", "dataMask"], units: "DN" }],
    output: { id: "default", bands: 2, sampleType: "UINT8" },
    mosaicking: "SIMPLE"
  };
}

function evaluatePixel(sample) {
  return [sample.SCL, sample.dataMask];
}
