modle "q" { source = "a" }
model "q" {
  sorce = "a"
  source = "b"
}
stage "quantise" "z" {}
artifact "gguf" "a" {
  from  = model.q
  path  = "a.gguf"
  kv { type = "INT8" }
  memory = 3
}
validate "v" {
  baseline  = model.q
  candidate = artifact.gguf.a
  router    = { min_top_k_agreement = 1 }
  memory {
    contxt = 4
  }
}
