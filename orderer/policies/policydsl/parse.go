package policydsl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
)

// maxNesting bounds the gates inside gates, so that a hostile rule cannot
// exhaust the stack.
const maxNesting = 200

// SyntaxError says what is wrong with a signature rule, and where.
type SyntaxError struct {
	Rule   string
	Column int // in characters, the first is 1
	Msg    string
}

// Error names the column and the rule.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s (column %d of policy %q)", e.Msg, e.Column, e.Rule)
}

// gate is satisfied if n of args are.
type gate struct {
	n    int
	args []arg
}

// arg is a gate or a principal.
type arg struct {
	gate  *gate
	mspID string
	role  mspproto.MSPRole_MSPRoleType
}

type parser struct {
	rule string
	pos  int // of the next byte to read
}

func parse(rule string) (*gate, error) {
	p := &parser{rule: rule}
	p.skipBlanks()
	g, err := p.gate(0)
	if err != nil {
		return nil, err
	}
	p.skipBlanks()
	if p.pos < len(rule) {
		return nil, p.errorf(p.pos, "unexpected %s after the end of the rule", p.found())
	}
	return g, nil
}

func (p *parser) gate(depth int) (*gate, error) {
	start := p.pos
	name := p.word()
	kind := gateKind(name)
	switch {
	case name == "":
		return nil, p.errorf(start, "expected AND, OR or OutOf, found %s", p.found())
	case kind == "":
		return nil, p.errorf(start, "unrecognized token '%s' in policy string", name)
	case depth >= maxNesting:
		return nil, p.errorf(start, "gates are nested more than %d deep", maxNesting)
	}
	if err := p.expect('(', "after "+name); err != nil {
		return nil, err
	}
	g := &gate{}
	counted := kind != "outof"
	for first := true; ; first = false {
		p.skipBlanks()
		var err error
		if first && !counted {
			g.n, err = p.count()
		} else {
			err = p.arg(g, depth)
		}
		if err != nil {
			return nil, err
		}
		p.skipBlanks()
		if p.peek() == ',' {
			p.pos++
			continue
		}
		if err := p.expect(')', "or ',' in "+name); err != nil {
			return nil, err
		}
		break
	}
	switch kind {
	case "and":
		g.n = len(g.args)
	case "or":
		g.n = 1
	}
	if len(g.args) == 0 {
		return nil, p.errorf(start, "expected at least two arguments to NOutOf. Given 1")
	}
	// Fabric accepts one more than can ever be satisfied.
	if g.n < 0 || g.n > len(g.args)+1 {
		return nil, p.errorf(start, "invalid t-out-of-n predicate, t %d, n %d", g.n, len(g.args))
	}
	return g, nil
}

func gateKind(name string) string {
	switch name {
	case "AND", "And", "and":
		return "and"
	case "OR", "Or", "or":
		return "or"
	case "OUTOF", "OutOf", "outof":
		return "outof"
	}
	return ""
}

func (p *parser) arg(g *gate, depth int) error {
	start := p.pos
	if q := p.peek(); q == '\'' || q == '"' {
		text, err := p.quoted()
		if err != nil {
			return err
		}
		a, ok := principal(text)
		if !ok {
			return p.errorf(start, "unrecognized token '%s' in policy string", text)
		}
		g.args = append(g.args, a)
		return nil
	}
	if p.peek() == ')' || p.peek() == ',' || p.pos == len(p.rule) {
		return p.errorf(start, "expected a principal or a gate, found %s", p.found())
	}
	sub, err := p.gate(depth + 1)
	if err != nil {
		return err
	}
	g.args = append(g.args, arg{gate: sub})
	return nil
}

// count reads the first argument of OutOf, plain or quoted.
func (p *parser) count() (int, error) {
	start := p.pos
	var text string
	if q := p.peek(); q == '\'' || q == '"' {
		var err error
		if text, err = p.quoted(); err != nil {
			return 0, err
		}
	} else {
		text = p.word()
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, p.errorf(start, "expected a number as the first argument of OutOf, found '%s'", text)
	}
	return int(n), nil
}

var roles = map[string]mspproto.MSPRole_MSPRoleType{
	"admin":   mspproto.MSPRole_ADMIN,
	"member":  mspproto.MSPRole_MEMBER,
	"client":  mspproto.MSPRole_CLIENT,
	"peer":    mspproto.MSPRole_PEER,
	"orderer": mspproto.MSPRole_ORDERER,
}

// principal splits 'MSP.role' at its last dot.
func principal(text string) (arg, bool) {
	dot := strings.LastIndexByte(text, '.')
	if dot <= 0 {
		return arg{}, false
	}
	role, ok := roles[text[dot+1:]]
	if !ok {
		return arg{}, false
	}
	for _, c := range []byte(text[:dot]) {
		if !isAlnum(c) && c != '.' && c != '-' {
			return arg{}, false
		}
	}
	return arg{mspID: text[:dot], role: role}, true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *parser) peek() byte {
	if p.pos < len(p.rule) {
		return p.rule[p.pos]
	}
	return 0
}

func (p *parser) skipBlanks() {
	for p.pos < len(p.rule) && strings.IndexByte(" \t\r\n", p.rule[p.pos]) >= 0 {
		p.pos++
	}
}

// word reads up to the next blank, bracket, comma or quote.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.rule) && strings.IndexByte(" \t\r\n(),'\"", p.rule[p.pos]) < 0 {
		p.pos++
	}
	return p.rule[start:p.pos]
}

func (p *parser) quoted() (string, error) {
	start := p.pos
	end := strings.IndexByte(p.rule[start+1:], p.rule[start])
	if end < 0 {
		return "", p.errorf(start, "the quote is not closed")
	}
	p.pos = start + 1 + end + 1
	return p.rule[start+1 : start+1+end], nil
}

func (p *parser) expect(c byte, where string) error {
	p.skipBlanks()
	if p.pos == len(p.rule) || p.rule[p.pos] != c {
		return p.errorf(p.pos, "expected '%c' %s, found %s", c, where, p.found())
	}
	p.pos++
	return nil
}

func (p *parser) found() string {
	if p.pos == len(p.rule) {
		return "the end of the rule"
	}
	r, _ := utf8.DecodeRuneInString(p.rule[p.pos:])
	return strconv.QuoteRune(r)
}

func (p *parser) errorf(at int, format string, args ...any) error {
	return &SyntaxError{
		Rule:   p.rule,
		Column: utf8.RuneCountInString(p.rule[:at]) + 1,
		Msg:    fmt.Sprintf(format, args...),
	}
}
