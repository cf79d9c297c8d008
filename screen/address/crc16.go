package address

// crc16Steps is the table of CRC-16/XMODEM: polynomial 1021, most significant
// bit first, nothing before and after. Stellar and TON use it.
var crc16Steps = func() (t [256]uint16) {
	for i := range t {
		sum := uint16(i) << 8
		for range 8 {
			carry := sum >> 15
			sum = sum<<1 ^ carry*0x1021
		}
		t[i] = sum
	}
	return t
}()

func crc16(b []byte) uint16 {
	sum := uint16(0)
	for _, c := range b {
		sum = sum<<8 ^ crc16Steps[byte(sum>>8)^c]
	}
	return sum
}
