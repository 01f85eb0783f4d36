artifact "gguf" "stock" {
  from    = stage.quantize.ultra
  experts = "stacked"
  path    = "qwen3.gguf"
}
