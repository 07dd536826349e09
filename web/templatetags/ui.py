"""Small pieces every template uses: icons, pills, times, digests."""

from django import template

register = template.Library()
