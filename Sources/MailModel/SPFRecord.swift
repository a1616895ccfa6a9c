/// Which hosts may send mail in a domain's name (RFC 7208).
package struct SPFRecord: Hashable, Sendable {
    /// What a term that fits says.
    package enum Qualifier: String, Hashable, Sendable, CaseIterable {
        case pass = "+"
        case fail = "-"
        case softfail = "~"
        case neutral = "?"
    }

    /// What is asked for.
    package enum Mechanism: Hashable, Sendable {
        case all
        case include(SPFName)
        /// The addresses of a name, nil for the domain itself, in blocks of these lengths.
        case address(SPFName?, Lengths)
        /// The same of its mail servers.
        case exchanger(SPFName?, Lengths)
        case pointer(SPFName?)
        case network(IPNetwork)
        case exists(SPFName)

        /// Whether it costs one of the ten questions (section 4.6.4).
        package var isLookup: Bool {
            switch self {
            case .all, .network: false
            default: true
            }
        }
    }

    /// Bits of an address that count.
    package struct Lengths: Hashable, Sendable {
        package var four = 32
        package var six = 128
    }

    package struct Directive: Hashable, Sendable {
        package var qualifier: Qualifier
        package var mechanism: Mechanism
        /// As it stands in the record.
        package var text: String
    }

    package let directives: [Directive]
    /// Whose record decides when nothing fits.
    package let redirect: SPFName?

    /// Whether a TXT record is one, in whatever state (section 4.5).
    package static func isRecord(_ text: String) -> Bool {
        let text = text.lowercased()
        return text == "v=spf1" || text.hasPrefix("v=spf1 ")
    }

    /// - Throws: for the first mistake: one makes the whole record worthless (section 4.6).
    package init(_ text: String) throws(MalformedRecord) {
        guard Self.isRecord(text) else { throw MalformedRecord("it does not begin with `v=spf1`") }
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw MalformedRecord("it holds characters that are not printable ASCII")
        }
        var directives: [Directive] = []
        var redirect: SPFName?
        var modifiers: Set<String> = []
        for term in text.split(separator: " ").dropFirst() {
            let term = String(term)
            do throws(MalformedRecord) {
                if let (name, value) = Self.modifier(term) {
                    guard !["redirect", "exp"].contains(name) || modifiers.insert(name).inserted else {
                        throw MalformedRecord("it stands twice")
                    }
                    let isKnown = ["redirect", "exp"].contains(name)
                    let target = try SPFName(value, isText: !isKnown)
                    if name == "redirect" { redirect = target }
                } else {
                    directives.append(try Self.directive(term))
                }
            } catch {
                throw MalformedRecord("`\(TagList.shown(term))`: \(error.description)")
            }
        }
        self.directives = directives
        self.redirect = redirect
    }

    /// `name=value`, where a mechanism has its colon or slash first.
    private static func modifier(_ term: String) -> (String, String)? {
        guard let equals = term.firstIndex(of: "=") else { return nil }
        let name = term[..<equals]
        guard let first = name.utf8.first, isLetter(first),
            name.utf8.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || [0x2D, 0x2E, 0x5F].contains($0) })
        else { return nil }
        return (name.lowercased(), String(term[term.index(after: equals)...]))
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    private static func directive(_ term: String) throws(MalformedRecord) -> Directive {
        var rest = Substring(term)
        var qualifier = Qualifier.pass
        if let found = rest.first.flatMap({ Qualifier(rawValue: String($0)) }) {
            qualifier = found
            rest.removeFirst()
        }
        let name = rest.prefix { $0 != ":" && $0 != "/" }
        let argument = rest.dropFirst(name.count)
        let mechanism = try mechanism(name.lowercased(), argument)
        return Directive(qualifier: qualifier, mechanism: mechanism, text: term)
    }

    /// - Parameter argument: with the colon or slash it begins with; may be empty.
    private static func mechanism(_ name: String, _ argument: Substring) throws(MalformedRecord) -> Mechanism {
        func target() throws(MalformedRecord) -> SPFName {
            guard argument.first == ":" else { throw MalformedRecord("it names no domain") }
            return try SPFName(String(argument.dropFirst()))
        }
        switch name {
        case "all":
            guard argument.isEmpty else { throw MalformedRecord("`all` has nothing behind it") }
            return .all
        case "include": return .include(try target())
        case "exists": return .exists(try target())
        case "ptr": return .pointer(argument.isEmpty ? nil : try target())
        case "a", "mx":
            let (domain, lengths) = try domainAndLengths(argument)
            return name == "a" ? .address(domain, lengths) : .exchanger(domain, lengths)
        case "ip4", "ip6": return .network(try network(argument, bytes: name == "ip4" ? 4 : 16))
        default: throw MalformedRecord("there is no such mechanism")
        }
    }

    /// `:domain/24//64`, each part of which may be missing. A slash inside a macro belongs to the domain.
    private static func domainAndLengths(_ argument: Substring) throws(MalformedRecord) -> (SPFName?, Lengths) {
        var domain: SPFName?
        var rest = argument
        if rest.first == ":" {
            let text = rest.dropFirst()
            let end = lengthsStart(text)
            domain = try SPFName(String(text[..<end]))
            rest = text[end...]
        }
        var lengths = Lengths()
        if rest.isEmpty { return (domain, lengths) }
        if !rest.hasPrefix("//") {
            let digits = rest.dropFirst().prefix { $0 != "/" }
            lengths.four = try length(digits, atMost: 32)
            rest = rest.dropFirst(1 + digits.count)
        }
        if !rest.isEmpty {
            guard rest.hasPrefix("//") else { throw MalformedRecord("behind the first length only `//` may stand") }
            lengths.six = try length(rest.dropFirst(2), atMost: 128)
        }
        return (domain, lengths)
    }

    /// Where the slash of the lengths is: the first that is not inside `%{…}`.
    private static func lengthsStart(_ text: Substring) -> Substring.Index {
        var isInside = false
        for index in text.indices {
            switch text[index] {
            case "{": isInside = true
            case "}": isInside = false
            case "/" where !isInside: return index
            default: break
            }
        }
        return text.endIndex
    }

    private static func network(_ argument: Substring, bytes: Int) throws(MalformedRecord) -> IPNetwork {
        guard argument.first == ":" else { throw MalformedRecord("it names no address") }
        let parts = argument.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let text = parts.first, let address = IPAddress(text), address.bytes.count == bytes else {
            throw MalformedRecord("that is no IPv\(bytes == 4 ? 4 : 6) address")
        }
        let length = parts.count == 2 ? try length(parts[1], atMost: bytes * 8) : bytes * 8
        guard let network = IPNetwork(address, length: length) else { throw MalformedRecord("its length is too large") }
        return network
    }

    private static func length(_ digits: Substring, atMost limit: Int) throws(MalformedRecord) -> Int {
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count == 1 || digits.first != "0", let length = Int(digits), length <= limit
        else { throw MalformedRecord("a length is a number up to \(limit)") }
        return length
    }
}
