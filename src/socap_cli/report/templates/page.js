(function(){
"use strict";
{% include "js/table.js" %}
{% include "js/browse.js" %}
{% include "js/views.js" %}
{% include "js/refresh.js" %}
})();
