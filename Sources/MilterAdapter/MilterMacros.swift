/// The two macros that are read: who logged in, which comes before MAIL, and the MTA's id of the message, which Postfix knows from
/// the second recipient on (milter_mail_macros and milter_data_macros in postconf(5)).
struct MilterMacros {
    private var login = ""
    /// `i`; empty while the MTA has not said it.
    private(set) var queueID = ""

    /// Takes the data of a `D` packet: the letter of the command that they belong to, then names and values that each end with
    /// NUL. What is cut off is left out.
    mutating func take(_ data: UnsafeRawBufferPointer) {
        var rest = data.dropFirst()
        while let nameEnd = rest.firstIndex(of: 0) {
            let name = rest[..<nameEnd]
            rest = rest[(nameEnd + 1)...]
            guard let valueEnd = rest.firstIndex(of: 0) else { return }
            let value = rest[..<valueEnd]
            rest = rest[(valueEnd + 1)...]
            if name.elementsEqual(Self.queueIDName) || name.elementsEqual(Self.bracedQueueIDName) {
                if !value.elementsEqual(queueID.utf8) { queueID = Self.text(value) }
            } else if name.elementsEqual(Self.loginName) {
                login = Self.text(value)
            }
        }
    }

    /// Who logged in, empty for nobody. Said again before every MAIL.
    mutating func takeLogin() -> String {
        defer { login = "" }
        return login
    }

    /// Another message is another id.
    mutating func forgetMessage() { queueID = "" }

    private static let queueIDName = Array("i".utf8)
    private static let bracedQueueIDName = Array("{i}".utf8)
    private static let loginName = Array("{auth_authen}".utf8)

    private static func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: UnsafeRawBufferPointer(rebasing: bytes), as: UTF8.self)
    }
}
