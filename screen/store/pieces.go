package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strconv"

	"walletscreen/screen"
)

// Content is written in pieces, so that what two snapshots share is written and
// read once. Where a piece ends is decided by the lines themselves, not by their
// place: after a change the cuts fall where they fell before.
//
// With a mean size M, a piece ends after the line with which it has M/4 bytes or
// more and the CRC-32C of which, its line end left out, has as many low zero bits as
// M/128 has; a line has about 128 bytes, so that is one in M/128. A piece that
// reaches 4 M ends there, be it within a line.
//
// A change of one row costs three pieces or so, and the list of all. M is the
// power of two at which both are about the same: sqrt(24 times the size of the
// content), rounded up, from 4 KiB to 256 KiB. The rule is part of the schema: one
// content has one list of pieces.
const (
	minMean = 4 << 10
	maxMean = 256 << 10
	// largestPiece is the size of the largest piece, in bytes.
	largestPiece = 4 * maxMean
	// smallestPiece is the size of the smallest, but for the last of a content.
	smallestPiece = minMean / 4
	lineSize      = 128
)

// maxContent is the largest content that is loaded, in bytes: room for ten million
// listings twice over, and no more memory than that for a manifest that lies.
const maxContent = 4 << 30

// A piece is a part of a content.
type piece struct {
	digest screen.Digest
	size   int
}

// meanOf returns the mean size of the pieces of a content of the given size.
func meanOf(size int) int {
	mean := minMean
	for mean < maxMean && int64(mean)*int64(mean) < 24*int64(size) {
		mean *= 2
	}
	return mean
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// cut returns the pieces of a content.
func cut(content []byte) []piece {
	mean := meanOf(len(content))
	mask := uint32(1)<<bits.TrailingZeros(uint(mean/lineSize)) - 1
	pieces := make([]piece, 0, len(content)/mean+1)
	begin := 0
	end := func(at int) {
		pieces = append(pieces, piece{sha256.Sum256(content[begin:at]), at - begin})
		begin = at
	}
	for at := 0; at < len(content); {
		line := content[at:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		at += len(line)
		for at-begin >= 4*mean {
			end(begin + 4*mean)
		}
		if at-begin >= mean/4 && crc32.Checksum(bytes.TrimSuffix(line, []byte("\n")), castagnoli)&mask == 0 {
			end(at)
		}
	}
	if begin < len(content) {
		end(len(content))
	}
	return pieces
}

// A list of pieces is a text: a line for each, its SHA-256 and its size.
const longestLine = 64 + len(" 1048576\n")

func encodePieces(pieces []piece) []byte {
	b := make([]byte, 0, len(pieces)*longestLine)
	for _, p := range pieces {
		b = fmt.Appendf(b, "%s %d\n", p.digest, p.size)
	}
	return b
}

// decodePieces reads a list of pieces, and refuses one that has not the given
// number of pieces with the given size together, unless both are negative.
func decodePieces(list []byte, count, size int) ([]piece, error) {
	pieces := make([]piece, 0, len(list)/66)
	sum := 0
	for line := range bytes.Lines(list) {
		digest, bytesText, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		d, err := screen.ParseDigest(string(digest))
		n, sizeErr := strconv.Atoi(string(bytesText))
		if !ok || err != nil || sizeErr != nil || n < 1 || n > largestPiece || line[len(line)-1] != '\n' {
			return nil, fmt.Errorf("line %d is not the digest and the size of a piece", len(pieces)+1)
		}
		pieces = append(pieces, piece{d, n})
		sum += n
	}
	if count >= 0 && len(pieces) != count || size >= 0 && sum != size {
		return nil, fmt.Errorf("it names %d pieces of %d bytes, want %d of %d bytes", len(pieces), sum, count, size)
	}
	return pieces, nil
}

// spans says where each piece of a content stands in it.
func spans(content []byte, pieces []piece) map[screen.Digest][]byte {
	at := make(map[screen.Digest][]byte, len(pieces))
	for _, p := range pieces {
		at[p.digest], content = content[:p.size:p.size], content[p.size:]
	}
	return at
}

// errPiece says that a piece does not have the digest that it is kept under.
var errPiece = refuse(errors.New("it does not have that digest"))
