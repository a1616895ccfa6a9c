/// The name of a variable, with a hash by which nearly all other names are told apart without looking at them.
struct Name: Sendable, Hashable {
    let text: String
    private let hash: UInt64

    init(_ text: String) {
        self.text = text
        // FNV-1a (Fowler, Noll, Vo 1991). Whoever makes names collide only loses the shortcut.
        hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    @inline(__always)
    static func == (left: Name, right: Name) -> Bool { left.hash == right.hash && left.text == right.text }

    /// One of 64 bits, by which few names are looked for where they are not.
    var mark: UInt64 { 1 << (hash & 63) }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    static let forLoop = Name("forloop")
    static let tableRowLoop = Name("tablerowloop")
}
