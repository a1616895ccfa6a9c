/// Character references of HTML (WHATWG HTML section 13.5): numbers, and the names that mail uses.
enum HTMLEntities {
    /// The longest name in the table, so that a search for the semicolon has an end.
    static let longestName = 8

    /// The text behind what stands between `&` and `;`; nil when it is no reference and stays as it is.
    static func text(for reference: ArraySlice<UInt8>) -> String? {
        if reference.first == UInt8(ascii: "#") { return scalar(forNumber: reference.dropFirst()) }
        return named[String(decoding: reference, as: UTF8.self)]
    }

    private static func scalar(forNumber digits: ArraySlice<UInt8>) -> String? {
        let isHex = digits.first == UInt8(ascii: "x") || digits.first == UInt8(ascii: "X")
        let text = String(decoding: isHex ? digits.dropFirst() : digits, as: UTF8.self)
        guard let value = UInt32(text, radix: isHex ? 16 : 10), value != 0 else { return nil }
        // Windows programs write its code page's numbers; every browser reads them so.
        let names: [UInt32: UInt32] = [
            0x80: 0x20AC, 0x85: 0x2026, 0x91: 0x2018, 0x92: 0x2019, 0x93: 0x201C, 0x94: 0x201D, 0x95: 0x2022,
            0x96: 0x2013,
            0x97: 0x2014, 0x99: 0x2122,
        ]
        return Unicode.Scalar(names[value] ?? value).map { String(Character($0)) } ?? "\u{FFFD}"
    }

    private static let named: [String: String] = {
        var table: [String: String] = [:]
        for (index, name) in latin1.enumerated() {
            if let scalar = Unicode.Scalar(UInt32(0xA0 + index)) { table[String(name)] = String(Character(scalar)) }
        }
        for (name, text) in others { table[name] = text }
        return table
    }()

    /// U+00A0 to U+00FF in order.
    private static let latin1 = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro \
        para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil \
        Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave \
        Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml \
        igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute \
        thorn yuml
        """.split(separator: " ")

    private static let others: [(String, String)] = [
        ("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'"), ("AMP", "&"), ("LT", "<"), ("GT", ">"),
        ("QUOT", "\""), ("OElig", "Œ"), ("oelig", "œ"), ("Scaron", "Š"), ("scaron", "š"), ("Yuml", "Ÿ"), ("fnof", "ƒ"),
        ("circ", "ˆ"), ("tilde", "˜"), ("ensp", "\u{2002}"), ("emsp", "\u{2003}"), ("thinsp", "\u{2009}"),
        ("zwnj", "\u{200C}"), ("zwj", "\u{200D}"), ("lrm", "\u{200E}"), ("rlm", "\u{200F}"), ("ndash", "–"),
        ("mdash", "—"), ("lsquo", "‘"), ("rsquo", "’"), ("sbquo", "‚"), ("ldquo", "“"), ("rdquo", "”"), ("bdquo", "„"),
        ("dagger", "†"), ("Dagger", "‡"), ("bull", "•"), ("hellip", "…"), ("permil", "‰"), ("prime", "′"),
        ("Prime", "″"),
        ("lsaquo", "‹"), ("rsaquo", "›"), ("euro", "€"), ("trade", "™"), ("larr", "←"), ("uarr", "↑"), ("rarr", "→"),
        ("darr", "↓"), ("harr", "↔"), ("minus", "−"), ("infin", "∞"), ("asymp", "≈"), ("ne", "≠"), ("le", "≤"),
        ("ge", "≥"), ("check", "✓"), ("hearts", "♥"), ("star", "☆"), ("Alpha", "Α"), ("alpha", "α"), ("beta", "β"),
        ("gamma", "γ"), ("delta", "δ"), ("lambda", "λ"), ("mu", "μ"), ("pi", "π"), ("sigma", "σ"), ("Omega", "Ω"),
        ("omega", "ω"), ("zwsp", "\u{200B}"), ("nbhy", "\u{2011}"), ("colon", ":"), ("comma", ","), ("period", "."),
    ]
}
