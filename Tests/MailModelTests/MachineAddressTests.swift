import Testing

@testable import MailModel

@Suite struct MachineAddressTests {
    @Test(arguments: [
        "MAILER-DAEMON", "postmaster", "no-reply", "NoReply-billing", "do_not_reply+7", "owner-list", "bounces+token=x",
        "list-request", "list-request+7", "news.noreply", "list-return-7-ann=example.org", "list-bounces-ann",
        "list+bounces-7", "list+unsubscribe", "ann+caf_=bob=example.org", "root+cron",
    ]) func programsAreKnown(name: String) {
        #expect(MachineAddress.matches(localPart: name))
    }

    @Test(arguments: [
        "", "+", "ann", "ann+news", "rooty", "mailer2", "requested", "ann-requests", "returned",
        "srs0=hash=tt=example.org=no-reply",
        "SRS1=x=list-bounces-ann", "srs0+noreply", "møller", "b", "-",
    ]) func peopleAreNot(name: String) {
        #expect(!MachineAddress.matches(localPart: name))
    }
}
