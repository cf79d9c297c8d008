package address

// decimal reads a number as an address has it: digits, no sign, no leading zero
// unless it is zero, 64 bits at most.
func decimal(s string) (number uint64, ok bool) {
	if s == "" || len(s) > 20 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	for _, c := range []byte(s) {
		digit := uint64(c - '0')
		if digit > 9 || number > (1<<64-1-digit)/10 {
			return 0, false
		}
		number = number*10 + digit
	}
	return number, true
}
