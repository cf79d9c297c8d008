package opensanctions

import (
	"encoding/binary"
	"iter"
)

// records keeps many short lists of words, one behind the other in few large
// pieces of memory: a map of the whole database's entities would take several
// times the room. They can only be read from the first on.
type records struct {
	blocks [][]byte
	size   int // bytes of the blocks
}

// blockSize is the size of a block, but for one that holds a single larger record.
const blockSize = 1 << 20

// add adds a record.
func (r *records) add(words []string) {
	need := binary.MaxVarintLen64
	for _, word := range words {
		need += binary.MaxVarintLen64 + len(word)
	}
	last := len(r.blocks) - 1
	if last < 0 || cap(r.blocks[last])-len(r.blocks[last]) < need {
		r.blocks = append(r.blocks, make([]byte, 0, max(need, blockSize)))
		last++
		r.size += cap(r.blocks[last])
	}
	b := binary.AppendUvarint(r.blocks[last], uint64(len(words)))
	for _, word := range words {
		b = binary.AppendUvarint(b, uint64(len(word)))
		b = append(b, word...)
	}
	r.blocks[last] = b
}

// all returns the records. Each is valid until the next.
func (r *records) all() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		for _, rest := range r.blocks {
			for len(rest) > 0 {
				words, size := binary.Uvarint(rest)
				one := record{words: int(words), rest: rest[size:]}
				if !yield(&one) {
					return
				}
				for !one.end() {
					one.next()
				}
				rest = one.rest
			}
		}
	}
}

// A record hands out its words in order.
type record struct {
	words int
	rest  []byte
}

// end reports whether there is no further word.
func (r *record) end() bool { return r.words == 0 }

// next returns the next word, which there must be.
func (r *record) next() []byte {
	size, n := binary.Uvarint(r.rest)
	word := r.rest[n : n+int(size)]
	r.rest = r.rest[n+int(size):]
	r.words--
	return word
}
