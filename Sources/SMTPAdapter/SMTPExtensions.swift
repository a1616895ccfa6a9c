/// What a relay has said in its answer to EHLO that it can do (RFC 5321 section 4.1.1.1), as far as it changes what we say.
struct SMTPExtensions: Hashable {
    /// Commands may be said before the replies to the ones before them were heard (RFC 2920).
    private(set) var hasPipelining = false
    /// MAIL may say how large the message is (RFC 1870).
    private(set) var hasSize = false
    /// Addresses may be outside ASCII, in the envelope and in the header (RFC 6531).
    private(set) var hasSMTPUTF8 = false

    init() {}

    /// - Parameter lines: of the answer; the first is the relay's name, and all there is of one to HELO.
    init(lines: [String]) {
        for line in lines.dropFirst() {
            switch line.prefix(while: { $0 != " " }).uppercased() {
            case "PIPELINING": hasPipelining = true
            case "SIZE": hasSize = true
            case "SMTPUTF8": hasSMTPUTF8 = true
            default: break
            }
        }
    }
}
