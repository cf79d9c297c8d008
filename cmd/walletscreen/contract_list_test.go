package main_test

// listClauses hold ListService with all its messages, and the reasons of errors.
var listClauses = []clause{}
