package address

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Lisk before 2024: a number of 64 bits made from the public key, in decimal,
// and the letter L (https://github.com/LiskHQ/lips/blob/main/proposals/lip-0018.md
// describes the format it replaced). It has no checksum.

func readLisk(s string, p *Parsed) {
	digits, ok := strings.CutSuffix(s, "L")
	if !ok {
		return
	}
	if number, ok := decimal(digits); ok {
		var payload [8]byte
		binary.BigEndian.PutUint64(payload[:], number)
		p.add(KindLisk, payload[:], LedgerLSK, false).Unchecked = true
	}
}

func formatLisk(payload []byte) string {
	return strconv.FormatUint(binary.BigEndian.Uint64(payload), 10) + "L"
}
