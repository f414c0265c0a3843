package table

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// textEncoding is how the characters of a file are written.
type textEncoding struct {
	name     string
	encoding encoding.Encoding
	common   string // characters of which a text in this encoding is full, for those that are guessed
	mark     int64  // bytes of the mark at the beginning
}

// guessed are the encodings that a file without a mark may have when it is no UTF-8, by the characters that are commonest in
// their languages.
var guessed = []textEncoding{
	{name: "gb18030", encoding: simplifiedchinese.GB18030, common: "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运，。？、：；！（）“”"},
	{name: "big5", encoding: traditionalchinese.Big5, common: "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運，。？、：；！（）「」"},
	{name: "shift_jis", encoding: japanese.ShiftJIS, common: kana},
	{name: "euc-jp", encoding: japanese.EUCJP, common: kana},
	{name: "euc-kr", encoding: korean.EUCKR, common: "이다는을의에가고하지은를도로서기사한자어니나리인아그있시수라대해게일정들보부제장전여상주신과구성원스안오만면동화무세으요러조국유소경우재적선비거었내"},
	{name: "windows-1252", encoding: charmap.Windows1252, common: "äöüßÄÖÜéèêëàâçîïôùûñáíóúÉÀ¿¡’‘“”–—…€«»°"},
}

const kana = "のにはをたがでてとしれさいるなもかりあられことすまうくだよきけそんスルトンラーイリクアシッドレロマメタプカジコバサフ、。「」"

// marked are the encodings that a mark at the beginning tells, the longest mark first.
var marked = []struct {
	mark string
	of   textEncoding
}{
	{"\xFF\xFE\x00\x00", textEncoding{name: "utf-32le", encoding: utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)}},
	{"\x00\x00\xFE\xFF", textEncoding{name: "utf-32be", encoding: utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)}},
	{"\xEF\xBB\xBF", textEncoding{name: "utf-8", encoding: unicode.UTF8}},
	{"\xFF\xFE", textEncoding{name: "utf-16le", encoding: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}},
	{"\xFE\xFF", textEncoding{name: "utf-16be", encoding: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}},
}

// Encodings are the names that a file's encoding may be given by.
func Encodings() []string {
	var names []string
	for _, e := range known() {
		names = append(names, e.name)
	}
	sort.Strings(names)
	return names
}

func known() []textEncoding {
	all := append([]textEncoding(nil), guessed...)
	for _, m := range marked {
		all = append(all, m.of)
	}
	return all
}

// encodingOf finds out how a file is written: as it was said, by its mark, or by what its bytes look like.
func encodingOf(name string, r io.ReaderAt, size int64, said string) (textEncoding, error) {
	const looked = 256 << 10
	head := make([]byte, min(size, looked))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return textEncoding{}, fmt.Errorf("%s: %w", name, err)
	}
	var found *textEncoding
	for _, m := range marked {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			e := m.of
			e.mark = int64(len(m.mark))
			found = &e
			break
		}
	}
	if said != "" {
		for _, e := range known() {
			if strings.EqualFold(e.name, said) {
				if found != nil && found.name == e.name {
					e.mark = found.mark
				}
				return e, nil
			}
		}
		return textEncoding{}, fmt.Errorf("%s: there is no encoding %q; known are %s", name, said, strings.Join(Encodings(), ", "))
	}
	if found != nil {
		return *found, nil
	}
	if e, ok := zeros(head); ok {
		return e, nil
	}
	valid, at, err := validUTF8(io.NewSectionReader(r, 0, size))
	if err != nil {
		return textEncoding{}, fmt.Errorf("%s: %w", name, err)
	}
	if valid {
		return textEncoding{name: "utf-8", encoding: unicode.UTF8}, nil
	}
	if at >= int64(len(head)) { // what is to be judged by lies further on
		at -= looked / 2
		if n, err := r.ReadAt(head, at); err != nil && err != io.EOF {
			return textEncoding{}, fmt.Errorf("%s: %w", name, err)
		} else if head = head[:n]; true {
			head = head[bytes.IndexByte(head, '\n')+1:] // not in the middle of a character
		}
	}
	best, most := textEncoding{}, 0.0
	for _, e := range guessed {
		if s := likeness(head, e); s > most {
			best, most = e, s
		}
	}
	if best.name == "" {
		return best, &Error{File: name, What: fmt.Sprintf("byte %d is no UTF-8, and the text does not look like any encoding known here (%s); save it as UTF-8, or name its encoding", at+1, strings.Join(Encodings(), ", "))}
	}
	return best, nil
}

// zeros recognises UTF-16 without a mark: in Latin letters every other byte is 0.
func zeros(head []byte) (textEncoding, bool) {
	even, odd := 0, 0
	for i, b := range head {
		if b == 0 && i%2 == 0 {
			even++
		} else if b == 0 {
			odd++
		}
	}
	switch n := len(head) / 2; {
	case n > 1 && odd > n/4 && even <= n/100:
		return marked[3].of, true
	case n > 1 && even > n/4 && odd <= n/100:
		return marked[4].of, true
	}
	return textEncoding{}, false
}

// validUTF8 reads all and says where it stops being UTF-8.
func validUTF8(r io.Reader) (bool, int64, error) {
	buf := make([]byte, 64<<10)
	kept, at := 0, int64(0)
	for {
		n, err := r.Read(buf[kept:])
		p := buf[:kept+n]
		for len(p) > 0 {
			c, w := utf8.DecodeRune(p)
			if c == utf8.RuneError && w == 1 {
				if err == nil && !utf8.FullRune(p) {
					break
				}
				return false, at, nil
			}
			p, at = p[w:], at+int64(w)
		}
		kept = copy(buf, p)
		if err == io.EOF {
			return true, at, nil
		}
		if err != nil {
			return false, at, err
		}
	}
}

// likeness is the share of the characters beyond ASCII that are common where an encoding is used, 0 when bytes do not fit it.
func likeness(raw []byte, e textEncoding) float64 {
	text, err := e.encoding.NewDecoder().Bytes(raw)
	if err != nil {
		return 0
	}
	all, bad, common := 0, 0, 0
	for _, c := range string(text) {
		switch {
		case c < 0x80:
			continue
		case c == utf8.RuneError || c >= 0x80 && c < 0xA0 || c >= 0xE000 && c < 0xF900:
			bad++
		case strings.ContainsRune(e.common, c):
			common++
		}
		all++
	}
	if all == 0 || 50*bad > all+50 { // the end of the piece may cut a character
		return 0
	}
	return float64(common) / float64(all)
}
