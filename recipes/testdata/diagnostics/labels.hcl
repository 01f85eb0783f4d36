model {}
model "a" "b" { source = "x" }
stage "quantize" {}
locals "x" {}
model "not a name" { source = "x" }
