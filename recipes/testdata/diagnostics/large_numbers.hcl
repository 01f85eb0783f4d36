locals {
  a = 1e999999999
  b = 5
}
