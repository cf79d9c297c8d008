package sheet

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// number returns a number as it is stored, without an exponent and with the 15
// digits that a workbook shows: "447700900123" for 4.4770090012300001E+11.
func number(value string) string {
	if !strings.ContainsAny(value, ".eE") {
		return value
	}
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || math.Abs(f) >= 1e21 {
		return value
	}
	f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	if err != nil {
		return value
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// serialDate returns the day that a number stands for (18.17.4.1), with the time
// if it is not midnight; "" if the number is none of a date.
func serialDate(value string, base1904 bool) string {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || !(f >= 0 && f < 2958466) { // 31 December 9999
		return ""
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case base1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case f < 1 || 60 <= f && f < 61:
		return "" // a time of day; the 29 February 1900 that never was
	case f < 60:
		epoch = epoch.AddDate(0, 0, 1)
	}
	days := math.Floor(f)
	seconds := math.Round((f - days) * 86400)
	t := epoch.AddDate(0, 0, int(days)).Add(time.Duration(seconds) * time.Second)
	if t.Year() > 9999 {
		return ""
	}
	if seconds == 0 || seconds == 86400 {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.DateTime)
}

// builtinDate reports whether the built-in number format n shows a day (18.8.30):
// 14 to 17 and 22 everywhere, the others in East Asian editions of Excel.
func builtinDate(n int) bool {
	return 14 <= n && n <= 17 || n == 22 || 27 <= n && n <= 31 || n == 36 || 50 <= n && n <= 54 || n == 57 || n == 58
}

// dateFormat reports whether a format code (18.8.31) shows a day: whether its
// first section has a year, an era or a day in it, outside of literal text.
func dateFormat(code string) bool {
	code = strings.ToLower(code)
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case ';':
			return false
		case '\\', '_', '*': // the next character is literal, a width or a filler
			i++
		case '"', '[':
			end := byte('"')
			if c == '[' {
				end = ']' // a color, a condition or a locale
			}
			n := strings.IndexByte(code[i+1:], end)
			if n < 0 {
				return false
			}
			i += n + 1
		case 'g':
			if rest, ok := strings.CutPrefix(code[i:], "general"); ok {
				i = len(code) - len(rest) - 1
			}
		case 'e': // the year of an era, or an exponent
			if i+1 < len(code) && (code[i+1] == '+' || code[i+1] == '-') {
				continue
			}
			return true
		case 'y', 'd':
			return true
		}
	}
	return false
}
