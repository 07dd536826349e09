"""Every form of the product is drawn by the same two templates: `{{ form }}` and `{{ form.field.as_field_group }}`."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    form_template_name = "components/form.html"
    field_template_name = "components/field.html"
