package screen

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"walletscreen/screen/address"
)

// many is a snapshot of n listings, a quarter each EVM, Tron, P2PKH and P2WPKH,
// ten to a party.
func many(b *testing.B, n int) *Snapshot {
	b.Helper()
	var parties []PublishedParty
	for i := 0; i < n; i += 10 {
		var addresses []PublishedAddress
		for j := i; j < min(i+10, n); j++ {
			addresses = append(addresses, PublishedAddress{Text: numbered(j, true), Symbol: "XBT", SourceIDs: []string{strconv.Itoa(j)}})
		}
		parties = append(parties, party(fmt.Sprintf("%06d", i), addresses...))
	}
	return merged(b, Empty(), sdn, publication(sdn, 20240101, "many", parties...))
}

// numbered writes the i-th account of one of two sets that share none.
func numbered(i int, isListed bool) string {
	kinds := [...]address.Kind{address.KindEVM, address.KindTron, address.KindP2PKH, address.KindWPKH}
	r := address.Reading{Key: address.Key{byte(kinds[i%len(kinds)])}}
	sum := sha256.Sum256(fmt.Append(nil, i, isListed))
	copy(r.Payload(), sum[:])
	return r.Format()
}

func benchmarkScreen(b *testing.B, isListed func(i int) bool) {
	const n = 10_000
	screener := NewIndex(many(b, n)).Screener(Query{Today: 20250101})
	texts := make([]string, n)
	for i := range texts {
		texts[i] = numbered(i, isListed(i))
	}
	var res Result
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		screener.Screen(texts[i], &res)
		want := VerdictNotListed
		if isListed(i) {
			want = VerdictListed
		}
		if res.Verdict != want {
			b.Fatalf("%s: verdict %d, want %d", texts[i], res.Verdict, want)
		}
		if i++; i == n {
			i = 0
		}
	}
}

func BenchmarkScreenMiss(b *testing.B) { benchmarkScreen(b, func(int) bool { return false }) }
func BenchmarkScreenHit(b *testing.B)  { benchmarkScreen(b, func(int) bool { return true }) }

// One in a hundred is listed.
func BenchmarkScreenMixed(b *testing.B) { benchmarkScreen(b, func(i int) bool { return i%100 == 0 }) }

func BenchmarkNewIndex(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := many(b, n)
			b.ReportAllocs()
			for b.Loop() {
				NewIndex(s)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data := many(b, 100_000).Encoding()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := many(b, 100_000)
	b.SetBytes(int64(len(s.Encoding())))
	b.ReportAllocs()
	for b.Loop() {
		s.encode()
	}
}

var successorListings = flag.Int("successor-listings", 100_000, "listings of BenchmarkSuccessor")

// BenchmarkSuccessor decodes and indexes a snapshot, then one that has a publication
// and a row in the middle more. -successor-listings asks for larger ones; the
// process has at its peak what a server needs for the swap.
func BenchmarkSuccessor(b *testing.B) {
	n := *successorListings
	text := func(more bool) []byte {
		data := append(make([]byte, 0, 75*n+4096), encodingHeader...)
		data = append(data, "list\tmany\tdesignation\t\t\t\n"...)
		publications, listings := 1, n
		if more {
			publications, listings = 2, n+1
		}
		for i := range publications {
			data = fmt.Appendf(data, "publication\t2024-01-01\t%064x\t%d\t%d\n", i+1, n, n)
		}
		parties := 0
		for i := 0; i < n; i += 100 {
			parties++
			data = fmt.Appendf(data, "party\t%08d\nfacts\t1\t\tParty %d\t\n", i, i)
			for j := i; j < min(i+100, n); j++ {
				data = fmt.Appendf(data, "address\t1\t-\t0x%040x\tETH\t\t\t\t\t\n", j)
			}
			if more && i == n/200*100 {
				data = fmt.Appendf(data, "address\t2\t-\t0x%040x\tETH\t\t\t\t\t\n", 1<<60)
			}
		}
		return fmt.Appendf(data, "end\t1\t%d\t%d\n", parties, listings)
	}
	one, two := text(false), text(true)
	first, second := Digest(sha256.Sum256(one)), Digest(sha256.Sum256(two))
	measure := func(name string, do func()) {
		begin := time.Now()
		do()
		b.ReportMetric(time.Since(begin).Seconds()*1000, name+"-ms")
	}
	for b.Loop() {
		var was, is *Snapshot
		var x *Index
		var err error
		measure("decode", func() { was, err = DecodeVerified(one, first) })
		if err != nil {
			b.Fatal(err)
		}
		measure("index", func() { x = NewIndex(was) })
		measure("row-decode", func() { is, err = DecodeAfter(was, two, second) })
		if err != nil {
			b.Fatal(err)
		}
		measure("row-index", func() { x = x.Next(is) })
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	if kb, err := strconv.Atoi(strings.Fields(peak + " 0")[0]); err == nil {
		b.ReportMetric(float64(kb)/1024, "peak-MB")
	}
}
