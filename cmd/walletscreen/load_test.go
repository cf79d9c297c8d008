package main

import (
	"bytes"
	"strings"
	"testing"

	"walletscreen/loader"
	"walletscreen/screen"
)

// TestShowHeld shows what a held publication would change, and the second time only
// that it is held.
func TestShowHeld(t *testing.T) {
	reports := []loader.Report{{
		List: "us-ofac-sdn", Outcome: loader.Held, Snapshot: new(screen.Snapshot),
		Held:    &screen.Held{PublishedOn: 20250321, Source: "sdn.xml", Why: "much is gone"},
		Changes: []*screen.Changes{{Delisted: []screen.Change{{UID: "39796", Party: "TORNADO CASH", Text: "0x12D66f87A04A9E220743712cE6d9bB1B5616B8Fc"}}}},
	}}
	for _, format := range []string{"text", "json"} {
		for _, again := range []bool{false, true} {
			var out bytes.Buffer
			c := loadCmd{Format: format}
			if code := c.show(reports, again, std{out: &out, err: new(bytes.Buffer)}); code != exitHeld {
				t.Errorf("%s: exit code %d, want %d", format, code, exitHeld)
			}
			if text := out.String(); strings.Contains(text, "0x12D66f87") == again || !strings.Contains(text, "2025-03-21") || !strings.Contains(text, "held") {
				t.Errorf("%s, shown before: %t:\n%s", format, again, text)
			}
		}
	}
}

// A list whose first publication is held does not stay as it was: there is none.
func TestFirstHeldIsNotLoaded(t *testing.T) {
	var out, err strings.Builder
	report := loader.Report{List: "own", Outcome: loader.Held, Snapshot: screen.Empty()}
	if code := new(loadCmd).show([]loader.Report{report}, false, std{out: &out, err: &err}); code != exitHeld {
		t.Errorf("exit code %d", code)
	}
	if want := "walletscreen load: list own is not loaded: this would be its first publication; --release lets the change through\n"; err.String() != want {
		t.Errorf("got %q, want %q", err.String(), want)
	}
}
