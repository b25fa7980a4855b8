//VERSION=3
// Both polarisations in linear power, and the data mask.
function setup() {
  return {
    input: [{ bands: ["VV", "VH", "dataMask"] }],
    output: { id: "default", bands: 3, sampleType: "FLOAT32" },
    mosaicking: "SIMPLE"
  };
}

function evaluatePixel(sample) {
  return [sample.VV, sample.VH, sample.dataMask];
}
