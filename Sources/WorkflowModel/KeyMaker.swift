/// Makes keys out of names for people.
package enum KeyMaker {
    private static let lengthLimit = 64

    /// The name in lower case with `-` for all that a key cannot have, and a number where it is taken: `welcome-mail`,
    /// `welcome-mail-2`.
    ///
    /// - Parameter fallback: a key to start from when nothing of the name is left.
    package static func key(for name: String, or fallback: String, isTaken: (String) -> Bool) -> String {
        let base = slug(of: name).isEmpty ? fallback : slug(of: name)
        var key = base
        var number = 2
        while isTaken(key) {
            let suffix = "-\(number)"
            key = base.prefix(lengthLimit - suffix.utf8.count) + suffix
            number += 1
        }
        return key
    }

    private static func slug(of name: String) -> String {
        var slug = ""
        for byte in name.lowercased().utf8 {
            let isPlain = byte &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "0") < 10 || byte == UInt8(ascii: "_")
            if isPlain {
                slug.unicodeScalars.append(Unicode.Scalar(byte))
            } else if !slug.isEmpty, !slug.hasSuffix("-") {
                slug += "-"
            }
            if slug.utf8.count == lengthLimit { break }
        }
        return slug.hasSuffix("-") ? String(slug.dropLast()) : slug
    }
}
