package mix

// LlamaCpp is the version of llama.cpp whose choices the mixes are.
const LlamaCpp = "0.5.0"
