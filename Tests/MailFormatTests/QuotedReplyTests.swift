import MailFormat
import Testing

/// What is left of a reply without the mail that it answers.
struct QuotedReplyTests {
    @Test(arguments: [
        "On Mon, 3 Mar 2025 at 10:00, Bob <bob@example.org> wrote:\n> Hello\n> there",
        "On Mon, 3 Mar 2025 at 10:00, Bob Builder\n<bob@example.org> wrote:\n\n> Hello",
        "Am 03.03.2025 um 10:00 schrieb Bob <bob@example.org>:\n> Hallo",
        "Am Mo., 3. März 2025 um 10:00 Uhr schrieb Bob <\nbob@example.org>:\n\n> Hallo",
        "Bob <bob@example.org> schrieb am Mo., 3. März 2025, 10:00:\n\n> Hallo",
        "Le lun. 3 mars 2025 à 10:00, Bob <bob@example.org> a écrit :\n\n> Bonjour",
        "El lun, 3 mar 2025 a las 10:00, Bob (<bob@example.org>) escribió:\n\n> Hola",
        "Il giorno lun 3 mar 2025 alle ore 10:00 Bob <bob@example.org> ha scritto:\n\n> Ciao",
        "Op ma 3 mrt 2025 om 10:00 schreef Bob <bob@example.org>:\n\n> Hallo",
        "Em seg., 3 de mar. de 2025 às 10:00, Bob <bob@example.org> escreveu:\n\n> Olá",
        "Den mån 3 mars 2025 kl 10:00 skrev Bob <bob@example.org>:\n\n> Hej",
        "pon., 3 mar 2025 o 10:00 Bob <bob@example.org> napisał(a):\n\n> Cześć",
        "пн, 3 мар. 2025 г. в 10:00, Bob <bob@example.org> пишет:\n\n> Привет",
        "2025年3月3日(月) 10:00 Bob <bob@example.org>のメール:\n\n> こんにちは",
        "-----Original Message-----\nFrom: Bob <bob@example.org>\nSent: Monday\nTo: Ann\nSubject: Hello\n\nHello",
        "________________________________\nFrom: Bob <bob@example.org>\nSent: Monday, March 3, 2025\nTo: Ann\nSubject: Hello\n\nHello",
        "Von: Bob <bob@example.org>\nGesendet: Montag, 3. März 2025 10:00\nAn: Ann\nBetreff: Hallo\n\nHallo",
        "De : Bob <bob@example.org>\nEnvoyé : lundi 3 mars 2025\nÀ : Ann\nObjet : Bonjour\n\nBonjour",
        "*From:* Bob <bob@example.org>\n*Sent:* Monday\n*To:* Ann\n*Subject:* Hello\n\nHello",
        "> Hello\n> there",
        "-- \nAnn Example\nExample Ltd",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Get Outlook for iOS\n\nOn Mon, 3 Mar 2025 at 10:00, Bob <bob@example.org> wrote:\n\n> Hello",
        // HTML without signs of quotation: everything below is the quotation.
        "On Mon, Mar 3, 2025 at 10:00 AM Bob <bob@example.org> wrote:\n\nHello\n\nthere",
    ])
    func onlyTheAnswerIsLeft(below: String) {
        #expect(QuotedReply.stripped("Yes, please.\n\nAnn\n\n\(below)\n") == "Yes, please.\n\nAnn")
    }

    @Test func answersBetweenQuotedLinesStay() {
        let text = "On Mon, 3 Mar 2025, Bob wrote:\n> When?\nTomorrow.\n> Where?\nHere.\n"
        #expect(QuotedReply.stripped(text) == "Tomorrow.\nHere.")
    }

    @Test func theLineAboveAnAttributionIsNoneOfIt() {
        let text = "This is what Ann wrote:\nOn 3 Mar 2025, Bob <bob@example.org> wrote:\n> Hello\n"
        #expect(QuotedReply.stripped(text) == "This is what Ann wrote:")
    }

    @Test(arguments: [
        "On Monday I wrote:\n\nnothing", "I said:\nno", "From: here to there\nis far.", "a\n--\u{20}b\nc",
        "He wrote 3 letters:\na, b, c",
        "---------- Forwarded message ---------\nFrom someone",
    ])
    func ordinarySentencesStay(text: String) {
        #expect(QuotedReply.stripped(text) == text)
    }

    @Test func nothingButQuotationIsNothing() {
        #expect(QuotedReply.stripped("> a\n> b\n") == "")
        #expect(QuotedReply.stripped("") == "")
    }

    @Test func htmlRepliesAreStrippedThroughTheirText() {
        let html = """
            <div>Yes!</div><div class="gmail_quote"><div>On Mon, Mar 3, 2025 at 10:00 AM Bob &lt;<a \
            href="mailto:bob@example.org">bob@example.org</a>&gt; wrote:<br></div><blockquote>Hello</blockquote></div>
            """
        #expect(QuotedReply.stripped(PlainText.from(html: html)) == "Yes!")
    }
}
