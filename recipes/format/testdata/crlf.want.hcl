stage "quantize" "a" {
  model = model.m

  policy = policy.p
}
