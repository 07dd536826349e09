"""Two people in a real browser add passkeys, sign with them, and a process of its own verifies the bundle offline."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.utils import timezone
from playwright.sync_api import Page, expect

from audit import sealing, signing
from audit.models import Head
from releases.models import Decision, SignOff
from tests.releases.test_bundle import verify

PASSWORD = "correct-horse-battery-staple"


def authenticator(page: Page) -> None:
    """A virtual authenticator in the laptop, whose owner's finger is always right."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def enrol(page: Page, user: Any) -> None:
    """First sign-in of somebody who signs: the product asks for a second factor at once, and takes a passkey."""
    user.set_password(PASSWORD)
    user.save()
    page.goto("/")
    page.locator("input[name=login]").fill(user.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(lambda url: "/accounts/enrol/" in url) if False else page.wait_for_url(
        "**/accounts/enrol/**"
    )
    page.get_by_role("link", name="passkey").first.click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/accounts/2fa/recovery-codes/**")  # shown once, for the day on which the laptop is lost
    codes = Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()
    expect(page.locator("main pre")).to_have_text("\n".join(codes) + "\n")
    assert Authenticator.objects.get(user=user, type="webauthn").data["name"] == "Laptop"


def test_two_passkeys_sign_in_the_browser_and_the_bundle_verifies_offline(
    now_stage, settings, site, browser_page, tmp_path, axe_clean
):
    """Both sides sign with a passkey; operations starts the canary, takes the bundle, and verifies it."""
    settings.BASE_URL = site
    stage = now_stage
    address = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    for side, user in (("engineering", stage.people.engineer2), ("operations", stage.people.operator2)):
        page = browser_page()
        authenticator(page)
        enrol(page, user)
        page.goto(f"{address}sign/{side}/")
        axe_clean(page)
        page.get_by_role("button", name="Sign with passkey").click()
        page.wait_for_url(f"**{address}#signoffs")
        expect(page.get_by_text(f"You signed {stage.system.name} {stage.release.label} for {side}.")).to_be_visible()
    page.get_by_role("link", name="Certificate").first.click()
    expect(page.get_by_text("It counts")).to_be_visible()
    axe_clean(page)
    page.goto(address)
    page.get_by_role("button", name="Withdraw").click()  # and on second thoughts:
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The signature is withdrawn.")).to_be_visible()
    page.goto(f"{address}sign/operations/")
    page.get_by_role("button", name="Sign with passkey").click()
    page.wait_for_url(f"**{address}#signoffs")
    assert {row.method for row in SignOff.objects.all()} == {"passkey"}

    page.get_by_role("button", name="Start canary").click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_text("Canary").first).to_be_visible()
    decision = Decision.objects.get(occasion="started")
    sealing.seal(now=timezone.now())

    page.goto(f"{address}review/")
    axe_clean(page)
    page.get_by_role("link", name="Canary started").or_(page.locator(f"a[href$='{decision.pk}/']")).first.click()
    expect(page.get_by_text("what is not done was not asked for this question")).to_be_visible()
    axe_clean(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Bundle").click()
    path = tmp_path / "bundle.zip"
    download.value.save_as(path)
    found = verify("releases.verify", path, "--key", str(signing.public_keys(Head.objects.get().origin)[0]))
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout.count("(passkey)") == 2
