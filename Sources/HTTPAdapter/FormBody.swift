import Engine

/// The body of a form that a page of ours or a mail program sends.
struct FormBody {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What a mail program sends, in either encoding of forms (RFC 8058 section 3.2).
    var isOneClick: Bool {
        if values("List-Unsubscribe") == ["One-Click"] { return true }
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("name=\"List-Unsubscribe\"") && text.contains("One-Click")
    }

    /// The values of a name, in order (application/x-www-form-urlencoded, WHATWG URL section 5.1). What is no UTF-8 is left
    /// out.
    func values(_ name: String) -> [String] {
        bytes.split(separator: UInt8(ascii: "&")).prefix(1000).compactMap { pair in
            let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard Self.decoded(halves[0]) == name else { return nil }
            return halves.count == 2 ? Self.decoded(halves[1]) : ""
        }
    }

    /// A percent sign without two digits behind it stands for itself.
    private static func decoded(_ text: ArraySlice<UInt8>) -> String? {
        var output: [UInt8] = []
        var position = text.startIndex
        while position < text.endIndex {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: "+") {
                output.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%"), position + 2 <= text.endIndex,
                let value = UInt8(String(decoding: text[position..<position + 2], as: UTF8.self), radix: 16)
            {
                output.append(value)
                position += 2
            } else {
                output.append(byte)
            }
        }
        return String(validating: output, as: UTF8.self)
    }
}
