model "q" { source = ["a"] }
stage "all" "a" {
  must { name = "m" }
  text   = { a = 1 }
  flag   = "maybe"
  count  = 1.5
  big    = 9223372036854775808
  ratio  = "lots"
  size   = "45 pounds"
  sizes  = [1, -2, "3 XB", true]
  maybe  = []
  texts  = "a"
  counts = [1, "two", 3]
  shares = { a = 0.5, b = "half", c = null }
  lists  = { a = ["x"], b = "y" }
  choices = ["red", "grene"]
}
artifact "gguf" "a" {
  from     = stage.all.a
  path     = "a.gguf"
  experts  = "Stacked"
  collapse = "median"
}
