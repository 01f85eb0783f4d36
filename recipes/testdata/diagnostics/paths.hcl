model "q" { source = "hf://a/b" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  model  = model.q
  policy = policy.p
}
artifact "gguf" "a" {
  from = stage.quantize.z
  path = "a.gguf"
}
artifact "gguf" "same" {
  from = stage.quantize.z
  path = "sub/../A.gguf"
}
artifact "gguf" "up" {
  from = stage.quantize.z
  path = "../a.gguf"
}
artifact "gguf" "absolute" {
  from = stage.quantize.z
  path = "/etc/a.gguf"
}
artifact "gguf" "empty" {
  from = stage.quantize.z
  path = ""
}
artifact "gguf" "own" {
  from = stage.quantize.z
  path = "paths.hcl"
}
artifact "gguf" "lock" {
  from = stage.quantize.z
  path = "pj.lock.hcl"
}
artifact "mlx" "each" {
  for_each = toset(["x", "y"])
  from     = stage.quantize.z
  path     = "dir"
}
artifact "gguf" "below" {
  from = stage.quantize.z
  path = "a.gguf/b.gguf"
}
report "within" { path = "dir/report" }
artifact "gguf" "control" {
  from = stage.quantize.z
  path = "a\nb.gguf"
}
artifact "gguf" "clean" {
  from = stage.quantize.z
  path = "./a.gguf"
}
