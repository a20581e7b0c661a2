package main

func main() {} // never called: the module is a library
