package screen

import (
	"fmt"
	"time"
)

// Date is a calendar date as a publisher prints it, without time of day or
// zone, as the number yyyymmdd: 20251104 is 4 November 2025. Dates compare in
// the order of time. Zero means that no date is known.
type Date uint32

// NewDate returns the date of the given year, month (1 to 12) and day, or an
// error if the calendar has no such day.
func NewDate(year, month, day int) (Date, error) {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if year < 1000 || year > 9999 || t.Year() != year || int(t.Month()) != month || t.Day() != day {
		return 0, fmt.Errorf("no such date: year %d, month %d, day %d", year, month, day)
	}
	return Date(year*10000 + month*100 + day), nil
}

// ParseDate reads an ISO 8601 calendar date, "2025-11-04".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("date %q is not of the form 2025-11-04", s)
	}
	return DateOf(t), nil
}

// DateOf returns the calendar date of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(y*10000 + int(m)*100 + d)
}

// String returns the date as "2025-11-04", or "" when it is not known.
func (d Date) String() string {
	if d == 0 {
		return ""
	}
	// A snapshot is written, compared and shown with millions of them.
	text := [...]byte{'0', '0', '0', '0', '-', '0', '0', '-', '0', '0'}
	for i, rest := len(text)-1, d; i >= 0; i-- {
		if text[i] != '-' {
			text[i] += byte(rest % 10)
			rest /= 10
		}
	}
	return string(text[:])
}

// Time returns midnight UTC at the start of the date. It must not be called on
// the zero Date.
func (d Date) Time() time.Time {
	return time.Date(int(d/10000), time.Month(d/100%100), int(d%100), 0, 0, 0, 0, time.UTC)
}
