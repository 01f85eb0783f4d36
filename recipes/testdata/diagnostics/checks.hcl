dataset "d" { files = [] }
stage "all" "a" {
  must { name = "wrong" }
}
validate "v" {
  baseline  = dataset.d
  candidate = stage.all.a
}
# What is wrong with a block's shape hides what is left of it from its stage.
stage "all" "b" {
  must { name = "wrong" }
  mst { name = "right" }
}
