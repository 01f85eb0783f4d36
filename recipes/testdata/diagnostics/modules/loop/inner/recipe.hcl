module "again" { source = ".." }
