model "q" {
  source = "x
}
stage "quantize" {{
