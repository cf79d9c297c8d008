package screen

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestNothingHides puts a listed address between two marks anywhere into every text
// of the vectors that wraps an address of somebody else. Whoever is paid then, it
// must not be answered NotListed: what is in a text is read, or the text is not
// clean.
func TestNothingHides(t *testing.T) {
	if raceEnabled {
		t.Skip("not run with -race: many texts, and one goroutine")
	}
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Groups []struct {
			Members []struct{ Text string }
		} `json:"equivalent_groups"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	var wrapped []string
	for _, g := range vectors.Groups {
		for _, m := range g.Members {
			if strings.ContainsAny(m.Text, ":?@/") {
				wrapped = append(wrapped, m.Text)
			}
		}
	}
	if len(wrapped) < 300 {
		t.Fatalf("%d texts that wrap an address, want hundreds", len(wrapped))
	}
	before := []string{"/", "?x=", "&x=", "#", ":", "@", "-", "//", "&spl-token=", "&dt="}
	after := []string{"", "/", ":", "?", "&", "#", ".", "@"}
	const marks = ":/?&=@#-."
	for _, address := range []string{evm, tronText} {
		screener := NewIndex(listed(t, address)).Screener(Query{Today: 20250101})
		var res Result
		tries, hidden := 0, 0
		for _, text := range wrapped {
			for at := 0; at <= len(text); at++ {
				if at > 0 && at < len(text) && strings.IndexByte(marks, text[at-1]) < 0 {
					continue
				}
				for _, b := range before {
					for _, a := range after {
						if a == "" && at < len(text) && strings.IndexByte(marks, text[at]) < 0 {
							continue // glued to what follows it is no address
						}
						s := text[:at] + b + address + a + text[at:]
						tries++
						if screener.Screen(s, &res); res.Verdict == VerdictNotListed {
							if hidden++; hidden <= 5 {
								t.Errorf("%s is listed, and not found in %q", address, s)
							}
						}
					}
				}
			}
		}
		if tries < 10_000 || hidden > 5 {
			t.Errorf("%s: hidden in %d of %d texts", address, hidden, tries)
		}
	}
}
