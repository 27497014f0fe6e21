package present

// Table is rows of cells under column heads. Columns with a higher Drop are
// left out first where the width does not suffice; Drop 0 stays.
type Table struct {
	Head []Column
	Rows [][]Span
}

// Column is the head of a column.
type Column struct {
	Title string
	Right bool // aligned right, for numbers
	Drop  int
	Max   int // widest useful, 0 for no limit
}
