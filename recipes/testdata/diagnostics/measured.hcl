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
dataset "d" { files = ["x"] }
validate "v" {
  baseline  = model.q
  candidate = artifact.gguf.a
}
model "each" {
  for_each = validate.v.results
  source   = each.key
}
locals { kld = validate.v.kl_divergence.mean }
artifact "gguf" "b" {
  from = stage.quantize.z
  path = "b-${validate.v.perplexity.value}.gguf"
}
output "fine" { value = { mean = validate.v.kl_divergence.mean, name = "x" } }
output "not_a_block_of_results" { value = model.q.size }
