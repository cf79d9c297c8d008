// Package screen is the domain: what is published about digital currency
// addresses, and what that makes of a question about one.
//
// A Publication is one issue of a list. Merge adds it to a Snapshot, the set of
// all listings, past and present, with one canonical encoding and one digest;
// Backfill does if it arrives late, and DateRows tells more closely since when a
// row is listed, where its publisher keeps a record of changes. An Index answers from a snapshot, with a Verdict and the listings behind it.
//
// The package knows no publisher, no store and no network; package address
// decides which texts mean the same account.
package screen
