package sheet

import "testing"

func TestDateFormat(t *testing.T) {
	for code, want := range map[string]bool{
		"":                     false,
		"General":              false,
		"@":                    false,
		"0.00E+00":             false,
		"#,##0.00_);[Red]-0":   false,
		`"day "0`:              false,
		`\d0`:                  false,
		"[$-411]0":             false,
		"h:mm:ss":              false,
		"[h]:mm":               false,
		"mm:ss.0":              false,
		"0;dd":                 false,
		`"open`:                false,
		"dd/MM/yyyy":           true,
		"m/d":                  true,
		`yyyy"年"m"月"d"日"`:      true,
		`[$-411]ggge"年"m"月"`:   true,
		"[$-ja-JP]ge.m.d;@":    true,
		"General dd":           true,
		"[$-40D]d mmmm yyyy":   true,
		`[Red]"x"\ yyyy\-mm;@`: true,
	} {
		if got := dateFormat(code); got != want {
			t.Errorf("%q: %t, want %t", code, got, want)
		}
	}
}
