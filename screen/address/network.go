package address

import "strings"

// LedgerOf returns the ledgers that a network in CAIP-2 form belongs to
// (https://chainagnostic.org/CAIPs/caip-2), and whether the text has that form
// at all. A well-formed network that this package does not know gives 0, true.
//
// The namespaces are those of https://github.com/ChainAgnostic/namespaces:
// eip155 for every EVM chain, bip122 with the first 16 bytes of the genesis (or
// fork) block's hash, tron.
func LedgerOf(network string) (Ledgers, bool) {
	namespace, reference, ok := strings.Cut(network, ":")
	if !ok || len(namespace) < 3 || len(namespace) > 8 || len(reference) < 1 || len(reference) > 32 {
		return 0, false
	}
	for _, c := range []byte(namespace) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return 0, false
		}
	}
	for _, c := range []byte(reference) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return 0, false
		}
	}
	switch namespace {
	case "eip155":
		return LedgerEVM, true
	case "tron":
		return LedgerTron, true
	case "bip122":
		switch reference {
		case "000000000019d6689c085ae165831e93":
			return LedgerBTC, true
		case "000000000000000000651ef99cb9fcbe":
			return LedgerBCH, true
		case "12a765e31ffd4059bada1e25190f6e98":
			return LedgerLTC, true
		}
	}
	return 0, true
}
