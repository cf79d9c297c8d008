package main

import (
	"encoding/json"
	"fmt"
	"io"

	"walletscreen/loader"
	"walletscreen/screen"
	"walletscreen/screen/server"
)

// notCovered are the lists that a server names as not covered unless it has them:
// those that cannot be read by machine, and those that nobody loaded.
func notCovered() []server.UncoveredList {
	var lists []server.UncoveredList
	add := func(l screen.List, why string) {
		lists = append(lists, server.UncoveredList{ID: l.ID, Authority: l.Authority, Name: l.Name, Why: why, URL: l.URL})
	}
	for _, l := range loader.NotCovered() {
		add(l.List, "cannot be read by machine: "+l.Why)
	}
	for _, l := range loader.Lists() {
		why := "can be loaded, and is not"
		if len(l.Locations) == 0 {
			why += ": " + l.Note
		}
		add(l.List, why)
	}
	return lists
}

// writeKnown writes which lists the loader knows.
func writeKnown(w io.Writer) {
	t := newTable(w)
	fmt.Fprintln(t, "LIST\tKIND\tAUTHORITY\tDEFAULT\tASKED EVERY\tLICENSE\tFROM")
	for _, l := range loader.Lists() {
		from, standard := "your own copy, with --source", "no"
		if len(l.Locations) > 0 {
			from = l.Locations[0][0]
		}
		if l.Default {
			standard = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Kind, l.Authority, standard, briefly(l.Poll), l.License, from)
	}
	t.Flush()
	for _, l := range loader.Lists() {
		if l.Note != "" {
			fmt.Fprintf(w, "\n%s\n", wrapped("NOTE: ", "  ", fmt.Sprintf("%s: %s", l.ID, l.Note)))
		}
	}
	fmt.Fprint(w, "\nNOT COVERED: lists that cannot be read by machine; nothing is said about the addresses on them\n")
	for _, l := range loader.NotCovered() {
		writeNotCovered(w, string(l.ID), l.Authority, l.Name, l.Why, l.URL)
	}
}

// writeKnownJSON writes the same as one JSON object.
func writeKnownJSON(w io.Writer) error {
	type known struct {
		List      screen.ListID `json:"list"`
		Kind      string        `json:"kind"`
		Authority string        `json:"authority"`
		Name      string        `json:"name"`
		URL       string        `json:"url"`
		Default   bool          `json:"default,omitempty"`
		Poll      string        `json:"asked_every,omitempty"`
		License   string        `json:"license,omitempty"`
		// Locations are in order of preference; each may be several documents.
		Locations [][]string `json:"locations,omitempty"`
		Note      string     `json:"note,omitempty"`
		Why       string     `json:"why,omitempty"`
	}
	var out struct {
		Lists      []known `json:"lists"`
		NotCovered []known `json:"not_covered"`
	}
	for _, l := range loader.Lists() {
		out.Lists = append(out.Lists, known{
			List: l.ID, Kind: l.Kind.String(), Authority: l.Authority, Name: l.Name, URL: l.URL,
			Default: l.Default, Poll: l.Poll.String(), License: l.License, Locations: l.Locations, Note: l.Note,
		})
	}
	for _, l := range loader.NotCovered() {
		out.NotCovered = append(out.NotCovered, known{List: l.ID, Kind: l.Kind.String(), Authority: l.Authority, Name: l.Name, URL: l.URL, Why: l.Why})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
