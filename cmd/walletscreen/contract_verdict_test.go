package main_test

// verdictClauses hold what answers say: verdicts, reasons, warnings, listings, notices.
var verdictClauses = []clause{}
