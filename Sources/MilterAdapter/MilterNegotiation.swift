import CLibmilter

/// What we ask of the MTA at the start of a session: no right we do not use, no reply nobody needs.
///
/// - No modifications. The only right is quarantine, and only when configured, so that no defect of ours can change a
///   message. The MTA's own lists of macros hold the two we read, `{auth_authen}` at MAIL and `i` from DATA on; asking
///   for shorter lists (`SMFIF_SETSYMLIST`) gained nothing that could be measured.
/// - CONNECT, HELO, MAIL, DATA and header fields are never answered: each answer would cost a round trip (some 60 µs in
///   which the MTA waits, measured), and nothing is decided there that cannot wait for the next answer. RCPT is answered
///   only where a recipient may be one too many, body chunks are (shutdown, nobody wants the message, enough of the
///   body), and the end of the message.
/// - The end of the header is not sent: it tells us nothing.
/// - Header values come with their leading blank, so that the message can be rebuilt byte by byte.
///
/// The MTA may offer less than we ask for; the session then answers what is still expected of it.
struct MilterNegotiation: Hashable, Sendable {
    /// Rights (`SMFIF_*`).
    let actions: UInt
    /// Protocol steps (`SMFIP_*`).
    let steps: UInt

    /// All steps we would like to have.
    static func desiredSteps(answersRecipients: Bool) -> UInt {
        answersRecipients ? always : always | UInt(SMFIP_NR_RCPT)
    }

    private static let always = UInt(
        SMFIP_NOUNKNOWN | SMFIP_NOEOH | SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_DATA | SMFIP_NR_HDR
            | SMFIP_NR_EOH
            | SMFIP_SKIP | SMFIP_HDR_LEADSPC)

    /// The rights we would like to have.
    static func desiredActions(allowsQuarantine: Bool) -> UInt {
        allowsQuarantine ? UInt(SMFIF_QUARANTINE) : UInt(SMFIF_NONE)
    }

    init(offeredActions: UInt, offeredSteps: UInt, allowsQuarantine: Bool, answersRecipients: Bool) {
        actions = offeredActions & Self.desiredActions(allowsQuarantine: allowsQuarantine)
        steps = offeredSteps & Self.desiredSteps(answersRecipients: answersRecipients)
    }

    func has(_ step: Int) -> Bool { steps & UInt(step) != 0 }
    var mayQuarantine: Bool { actions & UInt(SMFIF_QUARANTINE) != 0 }
}
