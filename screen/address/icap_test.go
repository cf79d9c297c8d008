package address

import "testing"

// TestICAPMistyped: MOD 97-10 finds what is changed within digits or letters,
// and all but about one in 97 of a digit for a letter.
func TestICAPMistyped(t *testing.T) {
	changes, missed := 0, 0
	const typed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, text := range []string{
		"XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS",  // ICAP specification, direct
		"XE73038O073KYGTWWZN0F2WZ0R8PX5ZPPZS", // the same account, basic
		"XE81ETHXREGGAVOFYORK",                // ICAP specification, indirect
	} {
		var right, p Parsed
		Parse(text, &right)
		for at := range text {
			for _, c := range typed {
				changed := text[:at] + string(c) + text[at+1:]
				if changed == text {
					continue
				}
				changes++
				if Parse(changed, &p); p.Reason != ReasonNone && p.Reason != ReasonNameNeedsResolution {
					continue
				}
				missed++
				if (c <= '9') == (text[at] <= '9') {
					t.Errorf("%s with a character changed, %s, has %d readings and reason %s", text, changed, len(p.Readings()), p.Reason)
				}
			}
		}
	}
	if changes < 2500 || missed > changes/97 {
		t.Errorf("%d of %d mistyped texts are not found", missed, changes)
	}
}

func TestICAPBounds(t *testing.T) {
	// The greatest account, and the number after it, with their check digits.
	for text, reason := range map[string]Reason{
		"XE95TWJ4YIDKW7A8PN4G709KZMFOAOL3X8F": ReasonNone,
		"XE68TWJ4YIDKW7A8PN4G709KZMFOAOL3X8G": ReasonMalformed,
	} {
		var p Parsed
		if Parse(text, &p); p.Reason != reason {
			t.Errorf("%s: reason %s, want %s", text, p.Reason, reason)
		}
	}
}
