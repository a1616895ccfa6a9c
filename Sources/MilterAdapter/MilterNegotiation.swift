import CLibmilter

/// What we ask of the MTA at the start of a session: no right we do not use, no reply nobody needs.
///
/// - No modifications. The only right is quarantine, and only when configured, so that no defect of ours can change a
///   message. `SMFIF_SETSYMLIST` changes nothing in a message: it shortens the lists of macros the MTA sends.
/// - CONNECT, HELO and header fields are never answered: each answer would cost a round trip, and nothing is decided
///   there. MAIL is answered (shutdown), RCPT (too many recipients), DATA (nobody wants the message), body chunks
///   (enough of the body), end of message.
/// - The end of the header is sent though it tells us nothing. Without it (`SMFIP_NOEOH`) libmilter ignores the body of
///   a message that has no header field, and the MTA waits for the reply until its timeout (measured with Postfix).
/// - Header values come with their leading blank, so that the message can be rebuilt byte by byte.
///
/// The MTA may offer less than we ask for; the session then answers what is still expected of it.
struct MilterNegotiation: Hashable, Sendable {
    /// Rights (`SMFIF_*`).
    let actions: UInt
    /// Protocol steps (`SMFIP_*`).
    let steps: UInt

    /// All steps we would like to have.
    static let desiredSteps = UInt(
        SMFIP_NOUNKNOWN | SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_SKIP | SMFIP_HDR_LEADSPC)

    /// All rights we would like to have.
    static func desiredActions(allowsQuarantine: Bool) -> UInt {
        UInt(SMFIF_SETSYMLIST) | (allowsQuarantine ? UInt(SMFIF_QUARANTINE) : 0)
    }

    /// The macros we read, by phase (`SMFIM_*`): the login name at MAIL, the queue id at the end of the message.
    /// Every other phase gets an empty list. The queue id is not there before DATA.
    static let macros: [(phase: Int32, names: String)] = [
        (SMFIM_CONNECT, ""), (SMFIM_HELO, ""), (SMFIM_ENVFROM, "{auth_authen}"), (SMFIM_ENVRCPT, ""),
        (SMFIM_DATA, ""), (SMFIM_EOM, "i"), (SMFIM_EOH, ""),
    ]

    init(offeredActions: UInt, offeredSteps: UInt, allowsQuarantine: Bool) {
        actions = offeredActions & Self.desiredActions(allowsQuarantine: allowsQuarantine)
        steps = offeredSteps & Self.desiredSteps
    }

    /// For an MTA so old that it does not negotiate: every callback answers, nothing may be skipped.
    static let none = MilterNegotiation(offeredActions: 0, offeredSteps: 0, allowsQuarantine: false)

    func has(_ step: Int) -> Bool { steps & UInt(step) != 0 }
    var mayQuarantine: Bool { actions & UInt(SMFIF_QUARANTINE) != 0 }
    var mayChooseMacros: Bool { actions & UInt(SMFIF_SETSYMLIST) != 0 }
}
