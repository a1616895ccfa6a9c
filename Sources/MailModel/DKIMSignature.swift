/// What a DKIM-Signature field says of itself (RFC 6376 section 3.5). Whether it is right is for others to compute.
package struct DKIMSignature: Hashable, Sendable {
    /// In lower case: `rsa-sha256`.
    package let algorithm: String
    /// Who signs, in lower case.
    package let domain: String
    package let selector: String
    /// Names of the signed fields in lower case, in their order; one may stand more than once.
    package let fields: [String]
    /// Seconds since 1970; nil when it has no end.
    package let expiry: Int64?
    /// Whether only the first bytes of the body are signed (`l=`).
    package let isPartial: Bool

    /// - Parameter text: the field's value, unfolded or not.
    /// - Throws: when receivers must ignore it.
    package init(_ text: String) throws(MalformedRecord) {
        let tags = try TagList(text)
        func required(_ name: String) throws(MalformedRecord) -> String {
            guard let value = tags[name], !value.isEmpty else { throw MalformedRecord("`\(name)` is missing") }
            return value
        }
        guard try required("v") == "1" else { throw MalformedRecord("`v` is not `1`") }
        algorithm = try required("a").lowercased()
        domain = try required("d").lowercased()
        selector = try required("s").lowercased()
        for name in ["b", "bh"] {
            guard StrictBase64.decode(try required(name)) != nil else {
                throw MalformedRecord("`\(name)` is not Base64")
            }
        }
        _ = try required("h")
        fields = (tags.list("h") ?? []).map { $0.lowercased() }
        guard fields.contains("from") else { throw MalformedRecord("`h` does not cover From") }
        for name in [domain, selector] where !Self.isName(name) {
            throw MalformedRecord("`\(TagList.shown(name))` is no name of the DNS")
        }
        expiry = tags["x"].flatMap { Int64($0) }
        isPartial = tags["l"] != nil
    }

    /// Whether a change of the field would be noticed.
    package func covers(_ field: String) -> Bool { fields.contains(field.lowercased()) }

    /// Where its key is.
    package var keyName: String { "\(selector)._domainkey.\(domain)" }

    private static func isName(_ name: String) -> Bool {
        name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count)
                    && label.utf8.allSatisfy { byte in
                        switch byte {
                        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                            UInt8(ascii: "-"), UInt8(ascii: "_"):
                            true
                        default: false
                        }
                    }
            }
    }
}
