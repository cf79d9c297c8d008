package xmlstream

import "iter"

// Attrs yields the name and the value of every attribute of the last start tag,
// in the order they stand there. It must not be used after the next call of
// another method.
func (s *Scanner) Attrs() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, a := range s.attrs {
			s.Kept += len(a.name) + len(a.value) + 2*StringCost
			if !yield(string(a.name), string(a.value)) {
				return
			}
		}
	}
}

// Texts returns all that can be read in the element that was begun last, and
// consumes it: each run of its text that is not white space alone, and for the
// elements in it the same and the values of their attributes, in document order.
func (s *Scanner) Texts() ([]string, error) {
	depth := s.Depth()
	s.keep, s.text = true, s.text[:0]
	defer func() { s.keep, s.text = false, s.text[:0] }()
	var texts []string
	size := 0
	add := func(text []byte) {
		if len(trimSpace(text)) > 0 {
			texts = append(texts, string(text))
			size += len(text) + StringCost
		}
	}
	for s.Depth() >= depth {
		t, err := s.Next()
		if err != nil {
			return nil, err
		}
		add(s.text)
		s.text = s.text[:0]
		if t == StartElement {
			for _, a := range s.attrs {
				add(a.value)
			}
		}
		if size > maxToken {
			return nil, s.Errorf("texts of more than %d bytes", maxToken)
		}
	}
	s.Kept += size
	return texts, nil
}
